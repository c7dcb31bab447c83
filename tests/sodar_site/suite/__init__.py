"""What SODAR Core and this sodarcache do together, beyond the tests that SODAR Core ships."""
