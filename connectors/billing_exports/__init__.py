"""Billing exports: CSV and Parquet files of FOCUS and of the AWS cost and usage report."""
