"""What is kept in MongoDB: one class per collection, its indexes beside its queries."""
