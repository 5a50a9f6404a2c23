"""What Streamlit runs per visit and action; not beside `pages`, which it would take over."""

from crosslens.ui.page import show

show()
