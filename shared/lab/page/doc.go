// Package page holds the tables of the documentation against the code. Tests of the packages that a table is about call it.
//
//	page.Hold(t, "../../docs/delivering.md", "retry-schedule", table)   // the test makes the table; make docs writes it
//	rows := page.Rows(t, "../../docs/configuration.md", "endpoint-keys") // a person writes the table; the test reads its facts
//
// A table lies between two marks, which are comments in HTML and so invisible:
//
//	<!-- generated:retry-schedule -->       <!-- checked:endpoint-keys -->
//	<!-- /generated -->                     <!-- /checked -->
//
// A generated table is never edited by hand. A checked table has columns of facts, which a test compares with the code, and columns of
// prose, which no test reads.
package page
