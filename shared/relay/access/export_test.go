package access

// StoredFormats returns an empty value of each stored format.
func StoredFormats() map[string]any {
	return map[string]any{
		"token": &tokenDoc{}, "session": &sessionDoc{}, "ending": &endingDoc{},
		"tenant": &tenantDoc{}, "audit": &auditDoc{}, "answer": &answerDoc{},
	}
}
