// Package settings names the environment of each function: the infrastructure writes it, the function reads it, both
// through the same struct, so that a name exists once.
//
//	vars, err := settings.Environment(settings.Fanout{CatalogTable: "…", …})   // in infra
//	s, err := settings.Read[settings.Fanout]()                                 // in the function
package settings
