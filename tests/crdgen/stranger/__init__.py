"""The model of somebody who has only the wheel, an object that it takes, and one that it does not."""
