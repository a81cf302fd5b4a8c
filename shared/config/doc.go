// Package config reads a relay's configuration, one YAML file, into a catalog, and tells what applying it would change.
//
//	catalog, err := config.Read("relay.yaml", os.LookupEnv)
//
// Everything that is wrong is reported, each with file, line and key; a file with an error gives no catalog at all. Unknown keys are
// errors. Values of the form env:NAME are taken from the environment; a variable that is unset or empty is an error. References to
// secrets that are kept elsewhere stay as they are: they are resolved when a delivery needs them.
//
// It is for the operator's command only: no function links it, since functions read the catalog.
package config
