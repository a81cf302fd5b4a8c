// Package onaws runs the stages on the adapters of AWS, against emulators of its services, with a fault at every call.
package onaws
