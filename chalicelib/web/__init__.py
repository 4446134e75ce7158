"""The pages a person sees, rendered on the server. Pure: values in, HTML out."""
