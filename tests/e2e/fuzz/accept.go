package fuzz

import (
	"math/rand/v2"
	"strings"
)

const (
	jsonType     = "application/json"
	protobufType = "application/vnd.kubernetes.protobuf"
	partialOne   = ";as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
	partialList  = ";as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
	asTable      = ";as=Table;v=v1;g=meta.k8s.io"
)

// randomAccept is an Accept header; "" is for none.
func randomAccept(r *rand.Rand, watch, list bool) string {
	partial, other := partialOne, partialList
	if list && !watch {
		partial, other = partialList, partialOne
	}
	if chance(r, 3) {
		partial = other
	}
	switch n := r.IntN(100); {
	case n < 14:
		return jsonType
	case n < 34:
		return protobufType
	case n < 46:
		return jsonType + partial
	case n < 58:
		return protobufType + partial
	case n < 76:
		return clientAccept(r, partial, watch)
	case n < 80:
		return ""
	case n < 84:
		return pick(r, "*/*", "*/*", "application/*", "*")
	case n < 86:
		return pick(r, "application/yaml", "application/cbor", "text/html", "application/cbor,application/json", "application/yaml;q=0.5,application/json;q=0.4")
	case n < 88 && !watch: // Which event of a watch describes the columns is a race at the API server.
		return jsonType + asTable
	default:
		return composedAccept(r, partial, watch)
	}
}

// clientAccept is what clients send: typed, old typed, dynamic, metadata, kubectl, browsers.
func clientAccept(r *rand.Rand, partial string, watch bool) string {
	accepts := []string{
		protobufType + "," + jsonType, jsonType + ", */*", jsonType + ";q=0.9,application/cbor;q=1",
		protobufType + partial + "," + jsonType + partial + "," + jsonType,
		jsonType + partial + "," + jsonType, "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
	}
	if !watch {
		accepts = append(accepts, jsonType+asTable+","+jsonType+";as=Table;v=v1beta1;g=meta.k8s.io,"+jsonType)
	}
	return pick(r, accepts...)
}

// composedAccept is a list of clauses with parameters, most of them sound.
func composedAccept(r *rand.Rand, partial string, watch bool) string {
	types := []string{jsonType, jsonType, protobufType, protobufType, "application/yaml", "application/cbor", "*/*", "application/*", "text/plain", "*", "", "json"}
	as := []string{"", "", partial, partial, ";as=PartialObjectMetadata;v=v1", partial + "beta1", ";as=Nonsense;g=meta.k8s.io;v=v1", ";g=meta.k8s.io", ";as=;g=;v=", ";v=v1;g=meta.k8s.io" + strings.Split(partial, ";g=")[0]}
	if !watch {
		as = append(as, asTable)
	}
	parameters := []string{"", "", "", ";q=0.5", ";q=0", ";q=1.0", ";q=x", "; q=0.9", ";charset=utf-8", ";pretty=1", ";pretty=0", ";stream=watch", ";stream=x", ";sv=v1", ";sv=v2", ";a", ";a=b=c"}
	var clauses []string
	for range 1 + r.IntN(4) {
		clauses = append(clauses, pick(r, types...)+pick(r, as...)+pick(r, parameters...)+pick(r, parameters...))
	}
	return strings.Join(clauses, pick(r, ",", ",", ", ", " , "))
}
