// Package onaws tests the stages with the AWS adapters, against emulators of the services, with a
// fault at every kind of call.
package onaws
