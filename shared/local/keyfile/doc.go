// Package keyfile seals secrets with a key in a file on this machine.
//
//	sealer, err := keyfile.New(".relay")
//
// A copy of the database without the key reveals no secret. The package does not protect against
// anybody who can read the file.
package keyfile
