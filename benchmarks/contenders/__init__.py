"""What is measured against each other, one file each: how it is started, and how it is configured."""
