"""Simulated devices: the real protocol (signed plan in, MQTT out), without their bundles."""
