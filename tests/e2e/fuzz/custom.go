package fuzz

import "math/rand/v2"

// Two custom resources. Gadgets are namespaced, of two versions with selectable fields of their own, the older one
// deprecated; realms are cluster-scoped.
func customKinds() []*kind {
	return []*kind{
		{
			group: "fuzz.example.com", version: "v1", resource: "gadgets", name: "Gadget", weight: 8, body: gadgetBody, change: gadgetBody,
			fields: map[string][]string{"spec.color": {"red", "blue", "a,b", ""}, "spec.size": {"0", "1", "2", "-1", ""}, "spec.on": {"true", "false", ""}},
			status: func(r *rand.Rand) object { return object{"status": object{"ready": chance(r, 50)}} },
		},
		{
			group: "fuzz.example.com", version: "v1beta1", resource: "gadgets", name: "Gadget", weight: 2,
			fields: map[string][]string{"spec.color": {"red", "blue", "a,b", ""}},
		},
		{
			group: "fuzz.example.com", version: "v1", resource: "realms", name: "Realm", cluster: true, weight: 4,
			body:   func(r *rand.Rand) object { return object{"spec": object{"note": text(r)}} },
			change: func(r *rand.Rand) object { return object{"spec": object{"note": text(r)}} },
		},
	}
}

func gadgetBody(r *rand.Rand) object {
	spec := object{"note": text(r), "free": object{"Z": 1.5, "a": []any{nil, true, "x", 9007199254740993}, "A": object{}}}
	if chance(r, 80) {
		spec["color"] = pick(r, "red", "blue", "a,b", "")
	}
	if chance(r, 80) {
		spec["size"] = pick(r, 0, 1, 2, -1)
	}
	if chance(r, 80) {
		spec["on"] = chance(r, 50)
	}
	return object{"spec": spec}
}

// definitions are the CustomResourceDefinitions.
func definitions() []object {
	properties := object{
		"spec": object{"type": "object", "properties": object{
			"color": object{"type": "string"}, "size": object{"type": "integer"}, "on": object{"type": "boolean"}, "note": object{"type": "string"},
			"free": object{"type": "object", "x-kubernetes-preserve-unknown-fields": true},
		}},
		"status": object{"type": "object", "properties": object{"ready": object{"type": "boolean"}}},
	}
	selectable := func(paths ...string) []any {
		var fields []any
		for _, path := range paths {
			fields = append(fields, object{"jsonPath": path})
		}
		return fields
	}
	version := func(name string, storage, deprecated bool, fields []any) object {
		// Equal schemas of two versions would be taken for one, and then no field may be selectable.
		schema := object{"type": "object", "description": name, "properties": properties}
		v := object{"name": name, "served": true, "storage": storage, "schema": object{"openAPIV3Schema": schema}, "subresources": object{"status": object{}},
			"additionalPrinterColumns": []any{object{"name": "Color", "type": "string", "jsonPath": ".spec.color"}}}
		if deprecated {
			v["deprecated"] = true
		}
		if len(fields) > 0 {
			v["selectableFields"] = fields
		}
		return v
	}
	definition := func(plural, kind, scope string, versions ...any) object {
		return object{"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
			"metadata": object{"name": plural + ".fuzz.example.com"},
			"spec":     object{"group": "fuzz.example.com", "scope": scope, "versions": versions, "names": object{"plural": plural, "kind": kind}}}
	}
	return []object{
		definition("gadgets", "Gadget", "Namespaced",
			version("v1", true, false, selectable(".spec.color", ".spec.size", ".spec.on")), version("v1beta1", false, true, selectable(".spec.color"))),
		definition("realms", "Realm", "Cluster", version("v1", true, false, nil)),
	}
}
