package verify

import "strings"

// layout describes a signature header that holds several named entries:
//
//	t=1614265330,v1=5257a8…,v1=b7f3…,v0=6ffbb5…   separator ",", equals "="
//	v1,K5oZfzN9… v1a,hnO3f9T8…                    separator " ", equals ","
//	1614265330000,5257a8…,b7f3…                   separator ",", leading
//
// Entries with other names or without a name are ignored, and so are spaces before an entry. The
// struct is large. Its methods use a pointer, because copying it takes a twentieth of a
// verification.
type layout struct {
	separator string // between entries
	equals    string // between an entry's name and its value
	signature string // name of the entries that hold a signature
	or        string // another such name, made with the same keys; "": none
	timestamp string // name of the one entry that holds the timestamp; "": none
	leading   bool   // the first entry is the timestamp, and has no name
	lists     bool   // there may be several such lists with the same time, separated by a space
	nonce     bool   // a random text is in the timestamp's place; no time is signed
	bare      bool   // an entry without a name is also a signature
}

// timed tells whether the header holds a timestamp.
func (l *layout) timed() bool { return l.timestamp != "" || l.leading }

// read returns the timestamp and the signatures of a header. It appends the signatures to room.
func (l *layout) read(
	header, value string, room []string,
) (timestamp string, signatures []string, err error) {
	if !l.lists {
		return l.readList(header, value, room)
	}
	for list := range strings.SplitSeq(value, " ") {
		var other string
		if other, room, err = l.readList(header, list, room); err != nil {
			return "", nil, err
		}
		if timestamp != "" && timestamp != other {
			return "", nil, malformed(header, "lists of one time")
		}
		timestamp = other
	}
	return timestamp, room, nil
}

func (l *layout) readList(
	header, value string, room []string,
) (timestamp string, signatures []string, err error) {
	timed := l.leading
	if l.leading {
		timestamp, value, _ = strings.Cut(value, l.separator)
	}
	for more := true; more; {
		var entry string
		entry, value, more = strings.Cut(value, l.separator)
		if l.joined(entry) {
			return "", nil, repeated(header)
		}
		switch name, value, named := strings.Cut(strings.TrimLeft(entry, " "), l.equals); {
		case l.bare && !named:
			room = append(room, name)
		case name == l.signature || (name == l.or && name != ""):
			room = append(room, value)
		case name == l.timestamp && timed:
			return "", nil, repeated(header)
		case name == l.timestamp && name != "":
			timestamp, timed = value, true
		}
	}
	if l.timed() && timestamp == "" {
		return "", nil, malformed(header, "a list with a time "+l.timestamp+l.equals+"…")
	}
	return timestamp, room, nil
}

// joined tells whether an entry has a comma that is not the layout's own. Such a comma means that
// the header was sent twice.
func (l *layout) joined(entry string) bool {
	if l.separator == "," {
		return false
	}
	at := strings.IndexByte(entry, ',')
	if at >= 0 && l.equals == "," {
		at = strings.IndexByte(entry[at+1:], ',')
	}
	return at >= 0
}

// write returns a header with one signature. With the zero layout that is the signature alone.
func (l *layout) write(timestamp, signature string) string {
	entry := l.signature + l.equals + signature
	if !l.timed() {
		return entry
	}
	return l.timestamp + l.equals + timestamp + l.separator + entry
}

// readSingle reads a header that holds a prefix and one signature.
func readSingle(header, value, prefix string, room []string) ([]string, error) {
	if strings.Contains(value, ",") {
		return nil, repeated(header)
	}
	signature, ok := strings.CutPrefix(value, prefix)
	if header == authorization && strings.HasSuffix(prefix, " ") {
		signature, ok = cutScheme(value, prefix)
	}
	if !ok {
		return nil, malformed(header, "a signature that begins with "+prefix)
	}
	return append(room, signature), nil
}
