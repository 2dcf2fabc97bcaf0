"""The pane in which models are asked: columns of streaming text, their numbers, the prompt. Imported when it is opened."""
