package serve

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/warmgate/warmgate/gateway"
	"github.com/warmgate/warmgate/gateway/call"
	"github.com/warmgate/warmgate/gateway/config"
	"github.com/warmgate/warmgate/gateway/flow"
)

func (l *loader) loadVenue(read readVenue, g, old *Generation) (*venue, error) {
	if read.same != nil {
		return read.same, nil
	}
	f, file, err := read.f, read.file, read.err
	if err != nil {
		return nil, err
	}
	secrets, err := l.readSecrets(f, &file)
	if err != nil {
		return nil, err
	}
	v := &venue{from: read.from, digest: digestOf(&read.from, secrets), usual: g.Config.Instances}
	v.from.secrets = file.wanted()
	var was *venue
	if old != nil {
		was = old.venues[file.ID]
	}
	if was != nil && was.digest == v.digest && was.usual == v.usual {
		return was, nil // its file has another name now
	}
	kinds, err := l.describe(f, &file, v)
	if kinds != nil {
		err = errors.Join(err, l.checkConnectors(f, &file, kinds))
	}
	if err == nil {
		err = l.bind(f, &file, kinds, v, was, secrets)
	}
	if err != nil {
		v.release()
		return nil, err
	}
	return v, nil
}

// describe reads everything of a venue but its connectors. kinds are how the flows that serve it see it; nil: none does.
func (l *loader) describe(f *config.File, file *venueFile, v *venue) (kinds []*flow.VenueKind, err error) {
	var wrong []error
	refuse := func(path, format string, args ...any) {
		wrong = append(wrong, f.Place("", &gateway.FieldError{Path: path, Message: fmt.Sprintf(format, args...)}))
	}
	if !isSlug(file.ID) {
		refuse("id", "%q must be lower-case letters, digits and dashes", file.ID)
	}
	if file.Tenant == "" {
		refuse("tenant", "must not be empty")
	}
	if file.Name.Zh == "" || file.Name.En == "" {
		refuse("name", "must be there in zh and en")
	}
	zone, err := l.zone(file.TimeZone)
	if err != nil || file.TimeZone == "" || file.TimeZone == "Local" {
		wrong = append(wrong, f.Place("", badZone(file.TimeZone)))
	}
	v.Venue = &gateway.Venue{ID: file.ID, Kind: file.Kind, Tenant: file.Tenant, Name: file.Name, Location: zone}
	kinds, err = l.serving(f, file)
	wrong = append(wrong, err)
	for _, kind := range kinds {
		wrong = append(wrong, readSection(f, file, kind, v.Venue))
	}
	return kinds, errors.Join(wrong...)
}

// serving finds the flows that serve a venue: those of its kind whose section it has, or the one that is alone with it.
func (l *loader) serving(f *config.File, file *venueFile) (kinds []*flow.VenueKind, err error) {
	all := l.kinds(file.Kind)
	var known []string
	for _, kind := range all {
		name := kind.SectionName()
		known = append(known, name)
		if _, there := file.sections[name]; there || len(all) == 1 {
			kinds = append(kinds, kind)
		}
	}
	var wrong []error
	refuse := func(path, format string, args ...any) {
		wrong = append(wrong, f.Place("", &gateway.FieldError{Path: path, Message: fmt.Sprintf(format, args...)}))
	}
	for _, name := range slices.Sorted(maps.Keys(file.sections)) {
		if len(all) > 0 && !slices.Contains(known, name) {
			refuse(name, "a venue of kind %s has no such section", file.Kind)
		}
	}
	switch {
	case len(all) == 0:
		refuse("kind", "%q is not a kind of venue: no journey serves it", file.Kind)
	case len(kinds) == 0:
		refuse("kind", "no journey serves this %s: it has none of the sections %s", file.Kind, strings.Join(known, ", "))
	}
	return kinds, errors.Join(wrong...)
}

// readSection has a flow read its section of a venue.
func readSection(f *config.File, file *venueFile, kind *flow.VenueKind, v *gateway.Venue) error {
	name := kind.SectionName()
	read, err := kind.Settings(func(into any) error { return f.DecodeSection(name, file.sections[name], into) })
	switch {
	case err != nil:
		return f.Place(name, err)
	case name == gateway.SettingsSection:
		v.Settings = read
	case v.Sections == nil:
		v.Sections = map[string]any{name: read}
	default:
		v.Sections[name] = read
	}
	return nil
}

// zone returns a time zone, the same for all venues that are in it.
func (l *loader) zone(name string) (*time.Location, error) {
	if z := l.zones[name]; z != nil {
		return z, nil
	}
	z, err := time.LoadLocation(name)
	if err == nil {
		l.zones[name] = z
	}
	return z, err
}

func badZone(name string) error {
	return &gateway.FieldError{Path: "time_zone", Message: fmt.Sprintf("%q is not the name of a time zone, such as Asia/Shanghai", name)}
}

// kinds are how all the flows that serve a kind see it.
func (l *loader) kinds(name string) (all []*flow.VenueKind) {
	for _, f := range l.flows {
		if f.Venues != nil && f.Venues.Kind == name {
			all = append(all, f.Venues)
		}
	}
	return all
}

// isSection reports whether a flow, of whatever kind of venue, reads the section name. Who reads venues for no flow takes
// every name for a section.
func (l *loader) isSection(name string) bool {
	return l.flows == nil || slices.ContainsFunc(l.flows, func(f *flow.Flow) bool {
		return f.Venues != nil && f.Venues.SectionName() == name
	})
}

// checkConnectors holds a venue's connectors against the roles that it has for the flows which serve it.
func (l *loader) checkConnectors(f *config.File, file *venueFile, kinds []*flow.VenueKind) error {
	var wrong []error
	refuse := func(path, format string, args ...any) {
		wrong = append(wrong, f.Place("connectors", &gateway.FieldError{Path: path, Message: fmt.Sprintf(format, args...)}))
	}
	roles := rolesOf(kinds)
	for role := range file.Connectors {
		_, needed := roles[role]
		_, known := rolesOf(l.kinds(file.Kind))[role]
		switch {
		case !known:
			refuse(role, "a venue of kind %s has no such role", file.Kind)
		case !needed:
			refuse(role, "nothing needs this role here: a section is missing")
		}
	}
	for role, by := range roles {
		c, there := file.Connectors[role]
		switch {
		case !there:
			refuse(role, "this role has no connector")
			continue
		case by[c.Connector] == nil:
			refuse(role+".connector", "%q is not a connector for this role: %s", c.Connector, strings.Join(slices.Sorted(maps.Keys(by)), ", "))
		}
		if err := c.Instance.Validate(); err != nil {
			wrong = append(wrong, f.Place("connectors."+role+".instance", err))
		}
	}
	return errors.Join(wrong...)
}

// rolesOf returns the connectors for each role that all flows which have the role can use, with what each flow binds.
func rolesOf(kinds []*flow.VenueKind) map[string]map[string][]flow.Connect {
	roles := map[string]map[string][]flow.Connect{}
	for _, kind := range kinds {
		for role, by := range kind.Roles {
			if roles[role] == nil {
				roles[role] = map[string][]flow.Connect{}
				for connector, connect := range by {
					roles[role][connector] = []flow.Connect{connect}
				}
				continue
			}
			for connector, others := range roles[role] {
				if connect := by[connector]; connect != nil {
					roles[role][connector] = append(others, connect)
				} else {
					delete(roles[role], connector)
				}
			}
		}
	}
	return roles
}

// bind binds every role of the venue to the system that plays it, for each flow that needs it. was is the venue in the old
// generation, or nil: an instance of it that is reached and bounded as before lives on, with its breaker and its counters.
func (l *loader) bind(f *config.File, file *venueFile, kinds []*flow.VenueKind, v, was *venue, secrets map[string]map[string]string) error {
	v.bindings = call.NewBindings(v.Venue)
	own := l.own(v)
	var wrong []error
	for role, by := range rolesOf(kinds) {
		path, c := "connectors."+role, file.Connectors[role]
		in, err := l.instance(was, reached{role: role, connector: c.Connector, url: c.URL}, file.instanceName(role), c.instance(v.usual))
		if err != nil {
			wrong = append(wrong, f.Place(path+".instance", err))
			continue
		}
		v.instances = append(v.instances, in)
		v.reached = append(v.reached, reached{in: in, role: role, connector: c.Connector, url: c.URL})
		to := flow.Connection{
			URL: c.URL, Secrets: secrets[role], Unread: l.shut, Instance: in, Common: &flow.Common{}, All: &l.common, Sockets: l.sockets, Ledger: l.ledger, Own: own,
			Logger:  l.logger.With("venue", v.ID, "role", role),
			Options: func(into any) error { return f.DecodeSection(path+".options", c.Options, into) },
		}
		for _, connect := range by[c.Connector] {
			stop, err := connect(v.Venue, to, v.bindings)
			if err != nil {
				wrong = append(wrong, f.Place(path, err))
				break // the others would say the same
			}
			v.close = append(v.close, stop)
		}
	}
	return errors.Join(append(wrong, v.bindings.Err())...)
}

// reached is an instance with what it stands for.
type reached struct {
	in                   *call.Instance
	role, connector, url string
}

// instance returns the instance of was that stands for the same as to, or a new one.
func (l *loader) instance(was *venue, to reached, name string, cfg call.InstanceConfig) (*call.Instance, error) {
	if was != nil {
		for _, r := range was.reached {
			in := r.in
			if r.in = nil; r == to && in.Is(name, to.role, cfg) {
				return in, nil
			}
		}
	}
	return call.NewInstance(name, to.role, cfg, l.logger)
}

// instanceName is the connector with the venue, and with the role where one connector plays several.
func (file *venueFile) instanceName(role string) string {
	connector, plays := file.Connectors[role].Connector, 0
	for _, c := range file.Connectors {
		if c.Connector == connector {
			plays++
		}
	}
	if plays > 1 {
		return connector + "/" + file.ID + "/" + role
	}
	return connector + "/" + file.ID
}

// instance is the connector's own configuration, or the usual one where it says nothing.
func (c connector) instance(usual call.InstanceConfig) call.InstanceConfig {
	if c.Instance == (call.InstanceConfig{}) {
		return usual
	}
	return c.Instance
}

// own makes instances for what the gateway knows itself; they are bounded by the requests in flight.
func (l *loader) own(v *venue) func(word string) *call.Instance {
	made := map[string]*call.Instance{}
	return func(word string) *call.Instance {
		if made[word] == nil {
			in, err := call.NewInstance(word+"/"+v.ID, word, call.InstanceConfig{MaxInFlight: ownInFlight}, l.logger)
			if err != nil {
				panic("an instance of the gateway's own cannot be made: " + err.Error()) // the word is the flow's: impossible
			}
			made[word] = in
			v.instances = append(v.instances, in)
		}
		return made[word]
	}
}

const ownInFlight = 1024
