// Package page checks the tables of the documentation against the code. A table is checked by a
// test of the package that it describes.
//
//	page.Hold(t, "../../docs/delivering.md", "retry-schedule", table)   // the test makes the table; make docs writes it
//	rows := page.Rows(t, "../../docs/configuration.md", "endpoint-keys") // a person writes the table; the test reads its facts
//
// A table is between two marks. They are HTML comments, so they are invisible:
//
//	<!-- generated:retry-schedule -->       <!-- checked:endpoint-keys -->
//	<!-- /generated -->                     <!-- /checked -->
//
// Do not edit a generated table by hand. A checked table has columns of facts, which a test
// compares with the code, and columns of prose, which no test reads.
package page
