"""The local Kusto endpoint, driven by the official client over a real socket."""
