package jq

import (
	"bytes"
	"os"
	"strconv"
	"time"
)

// ticks is how many units of processor time /proc counts in a second. It is 100 on all platforms of
// Linux that Go supports.
const ticks = 100

// processorTime returns the processor time of a process so far, 0 if the system does not tell it.
func processorTime(pid int) time.Duration {
	var room [1024]byte
	text := file("/proc/"+strconv.Itoa(pid)+"/stat", room[:])
	// the name, in parentheses, may contain anything
	_, text, _ = bytes.Cut(text[max(bytes.LastIndexByte(text, ')'), 0):], []byte(") "))
	const user, system = 11, 12 // fields after the name
	fields := bytes.Fields(text)
	if len(fields) <= system {
		return 0
	}
	return time.Duration(whole(fields[user])+whole(fields[system])) * time.Second / ticks
}

// residentMemory returns the memory of a process in bytes, 0 if the system does not tell it.
func residentMemory(pid int) int {
	var room [256]byte
	fields := bytes.Fields(file("/proc/"+strconv.Itoa(pid)+"/statm", room[:]))
	const resident = 1
	if len(fields) <= resident {
		return 0
	}
	return whole(fields[resident]) * os.Getpagesize()
}

func whole(digits []byte) int {
	n, _ := strconv.Atoi(string(digits))
	return n
}
