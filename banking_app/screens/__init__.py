"""The pages, in Streamlit. They draw; what they draw is decided elsewhere."""
