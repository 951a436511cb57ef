"""Documents on presigned URLs, as S3 serves them: what a feed brings and what a feed or report gives back."""
