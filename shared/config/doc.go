// Package config reads a relay's configuration, one YAML file, into a catalog. It also shows what
// applying it would change.
//
//	catalog, err := config.Read("relay.yaml", os.LookupEnv)
//
// All errors are reported at once, each with file, line and key. A file with an error gives no
// catalog at all. An unknown key is an error. A value of the form env:NAME is read from the
// environment; it is an error if the variable is unset or empty. References to AWS Secrets Manager
// stay references: they are resolved when a delivery needs them.
//
// The package is for the operator's command only. No function links it, since functions read the
// catalog.
package config
