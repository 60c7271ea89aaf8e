"""How does somebody begin who has no configuration yet? Three questions, tested while they are answered."""
