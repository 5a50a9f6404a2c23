"""A shop that draws itself: invented products, their pictures and their words."""
