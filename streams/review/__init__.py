"""What a person is asked, in which order and until when, and what follows from the answer (WF-1..WF-9)."""
