"""The report as one HTML file: ``page`` puts it together from tables, plots and the drawing library, all inside the file."""
