//! Imports: files that another program wrote once and that stay where they are.
