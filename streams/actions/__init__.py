"""What others are told of decisions and reviews, how it is signed, and when it is tried again."""
