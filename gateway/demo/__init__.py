"""An emulated Cognito, an emulated Okta and a demo application; a leaf that imports nothing of the gateway."""
