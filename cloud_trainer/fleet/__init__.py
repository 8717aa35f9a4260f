"""The fleet as the cloud sees it: what devices say over MQTT, and what was last heard of each."""
