"""What the pages share: the frame, the state behind a view, figures, tables, explanations and jobs."""
