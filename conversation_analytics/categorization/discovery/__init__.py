"""Topics that no label covers yet: found among what fits none, named, followed and proposed."""
