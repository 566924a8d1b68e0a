"""What a relying party sends and checks when somebody signs in."""
