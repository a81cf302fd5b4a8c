package breaker

// StoredFormats returns an empty value of each stored format.
func StoredFormats() map[string]any { return map[string]any{"state": &endpointDoc{}} }
