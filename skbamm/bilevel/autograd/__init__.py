"""Problems whose derivatives torch finds."""
