package operate

// StoredFormats returns an empty value of each stored format.
func StoredFormats() map[string]any {
	return map[string]any{
		"job": &jobDoc{}, "sweep-cursor": &cursorDoc{}, "refused": &refusedDoc{},
		"statistics": &statDoc{}, "tally": &tallyDoc{},
		"source-pulses": &pulsesDoc{}, "source-types": &typesDoc{},
	}
}
