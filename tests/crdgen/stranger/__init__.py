"""The model of somebody who has only the wheel, and objects that it takes and refuses."""
