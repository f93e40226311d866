"""What every layer shares: errors, sites, method cards, recipes, references. Imports neither torch nor Streamlit."""
