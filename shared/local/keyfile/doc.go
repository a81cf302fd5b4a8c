// Package keyfile seals secrets with a key that lies in a file on this machine.
package keyfile
