"""The npm package beside JSON in the application, worker threads and plain fetch."""
