"""What is compared: ways to run a network whose effect strength changes, each opened and called alike."""
