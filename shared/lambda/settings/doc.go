// Package settings names the environment variables of each function. The infrastructure writes them
// and the function reads them through the same struct, so each name exists once.
//
//	vars, err := settings.Environment(settings.Fanout{CatalogTable: "…", …})   // in infra
//	s, err := settings.Read[settings.Fanout]()                                 // in the function
package settings
