"""How the models are made. Nothing here is needed to use them."""
