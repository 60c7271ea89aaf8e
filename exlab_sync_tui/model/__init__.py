"""What every room talks about: plain frozen values, without any input or output."""
