package e2e

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	utiljson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/wait"
)

// fieldsNamespace has the objects of the tests of field selectors. They stay.
const fieldsNamespace = "fields"

// A fieldsObject is written as JSON; status, if any, is written behind it. Where the manifest has no namespace but
// belongs into one, that is fieldsNamespace.
type fieldsObject struct {
	collection string // "/api/v1/pods".
	clustered  bool
	manifest   string
	status     string // A merge patch of the subresource.
}

const podTemplate = `"template":{"metadata":{"labels":{"app":"x"}},"spec":{"restartPolicy":"%s","containers":[{"name":"c","image":"example.com/c:1"}]}}`

var fieldsObjects = []fieldsObject{
	{collection: "/api/v1/pods", manifest: `{"metadata":{"name":"plain"},"spec":{"containers":[{"name":"c","image":"example.com/c:1"}]}}`},
	{collection: "/api/v1/pods",
		manifest: `{"metadata":{"name":"full"},"spec":{"nodeName":"n1","restartPolicy":"Never","schedulerName":"own","serviceAccountName":"builder","hostNetwork":true,` +
			`"containers":[{"name":"c","image":"example.com/c:1"}]}}`,
		status: `{"status":{"phase":"Running","podIP":"10.9.0.1","podIPs":[{"ip":"10.9.0.1"},{"ip":"fd00::1"}]}}`},
	{collection: "/api/v1/pods",
		manifest: `{"metadata":{"name":"nominated"},"spec":{"restartPolicy":"OnFailure","hostNetwork":false,"containers":[{"name":"c","image":"example.com/c:1"}]}}`,
		status:   `{"status":{"phase":"Failed","podIP":"fd00::2","nominatedNodeName":"n2"}}`},
	{collection: "/api/v1/nodes", clustered: true, manifest: `{"metadata":{"name":"fields-cordoned"},"spec":{"unschedulable":true}}`},
	{collection: "/api/v1/secrets", manifest: `{"metadata":{"name":"typed"},"type":"example.com/typed","data":{"type":"eA=="}}`},
	{collection: "/api/v1/secrets", manifest: `{"metadata":{"name":"untyped"}}`},
	{collection: "/api/v1/services", manifest: `{"metadata":{"name":"headless"},"spec":{"clusterIP":"None","ports":[{"port":80}]}}`},
	{collection: "/api/v1/services", manifest: `{"metadata":{"name":"fixed"},"spec":{"type":"NodePort","clusterIP":"10.0.200.7","ports":[{"port":80}]}}`},
	{collection: "/api/v1/services", manifest: `{"metadata":{"name":"external"},"spec":{"type":"ExternalName","externalName":"example.com"}}`},
	{collection: "/api/v1/replicationcontrollers",
		manifest: `{"metadata":{"name":"none"},"spec":{"replicas":1,"selector":{"app":"x"},` + fmt.Sprintf(podTemplate, "Always") + `}}`},
	{collection: "/api/v1/replicationcontrollers",
		manifest: `{"metadata":{"name":"some"},"spec":{"replicas":1,"selector":{"app":"x"},` + fmt.Sprintf(podTemplate, "Always") + `}}`,
		status:   `{"status":{"replicas":300}}`},
	{collection: "/apis/batch/v1/jobs", manifest: `{"metadata":{"name":"new"},"spec":{` + fmt.Sprintf(podTemplate, "Never") + `}}`},
	{collection: "/apis/batch/v1/jobs", manifest: `{"metadata":{"name":"done"},"spec":{"completions":5,` + fmt.Sprintf(podTemplate, "Never") + `}}`,
		status: `{"status":{"startTime":"2026-01-01T00:00:00Z","succeeded":2}}`},
	{collection: "/api/v1/events", manifest: `{"metadata":{"name":"by-source"},"involvedObject":{"kind":"Pod","namespace":"fields","name":"full","uid":"u-1",` +
		`"apiVersion":"v1","resourceVersion":"17","fieldPath":"spec.containers{c}"},"reason":"Started","message":"m","source":{"component":"kubelet","host":"n1"},"type":"Normal"}`},
	{collection: "/api/v1/events", manifest: `{"metadata":{"name":"by-controller"},"involvedObject":{"kind":"Job","namespace":"fields","name":"a<b>&c"},` +
		`"reason":"a \"quoted\" \\ reason \ud83d\ude80","reportingComponent":"example.com/controller","reportingInstance":"i","type":"Warning"}`},
	{collection: "/apis/resource.k8s.io/v1/resourceslices", clustered: true,
		manifest: `{"metadata":{"name":"on-a-node"},"spec":{"driver":"gpu.example.com","pool":{"name":"pool-1","generation":1,"resourceSliceCount":1},"nodeName":"n1"}}`},
	{collection: "/apis/resource.k8s.io/v1/resourceslices", clustered: true,
		manifest: `{"metadata":{"name":"everywhere"},"spec":{"driver":"net.example.com","pool":{"name":"pool-2","generation":1,"resourceSliceCount":1},"allNodes":true}}`},
	{collection: "/api/v1/persistentvolumes", clustered: true, manifest: `{"metadata":{"name":"fields-volume"},"spec":{"capacity":{"storage":"1Gi"},` +
		`"accessModes":["ReadWriteOnce"],"hostPath":{"path":"/tmp/none"}}}`},
	{collection: "/apis/apps/v1/replicasets", manifest: `{"metadata":{"name":"set"},"spec":{"selector":{"matchLabels":{"app":"x"}},` + fmt.Sprintf(podTemplate, "Always") + `}}`},
	{collection: "/apis/fields.example.com/v1/shirts", manifest: `{"metadata":{"name":"bare"}}`},
	{collection: "/apis/fields.example.com/v1/shirts", manifest: `{"metadata":{"name":"red"},"spec":{"color":"red","size":7,"cut":{"long":true},"node-name_1":"n1"}}`},
	{collection: "/apis/fields.example.com/v1/shirts", manifest: `{"metadata":{"name":"odd"},"spec":{"color":"<\"\\ \u00fc\ud83d\ude80","size":-9007199254740993,"cut":{"long":false}}}`},
	{collection: "/apis/fields.example.com/v1/shirts", manifest: `{"metadata":{"name":"zero"},"spec":{"color":"","size":0,"cut":{}}}`},
	{collection: "/apis/fields.example.com/v1/shirts", manifest: `{"metadata":{"name":"null"},"spec":{"color":"true","optional":null,"size":9007199254740993}}`},
	{collection: "/apis/fields.example.com/v1/flags", clustered: true, manifest: `{"metadata":{"name":"blue"},"spec":{"color":"blue"}}`},
}

// seedFields writes the objects, once.
func seedFields(t *testing.T) {
	t.Helper()
	if _, err := admin.CoreV1().Namespaces().Get(context.Background(), fieldsNamespace, metav1.GetOptions{}); err == nil {
		return
	}
	for _, name := range []string{fieldsNamespace, "fields-leaving"} {
		createObject(t, fieldsObject{collection: "/api/v1/namespaces", clustered: true, manifest: fmt.Sprintf(`{"metadata":{"name":%q}}`, name)})
	}
	// Nobody finalizes it.
	must(t, admin.CoreV1().Namespaces().Delete(context.Background(), "fields-leaving", metav1.DeleteOptions{}))
	defineFieldsResources(t)
	for _, object := range append(fieldsObjects, certificateObjects(t)...) {
		createObject(t, object)
	}
}

func createObject(t *testing.T, o fieldsObject) {
	t.Helper()
	ctx := context.Background()
	var object unstructured.Unstructured
	must(t, utiljson.Unmarshal([]byte(o.manifest), &object.Object)) // Large integers stay what they are.
	slash := strings.LastIndex(o.collection, "/")
	gvr := resourceOf(o.collection[:slash], o.collection[slash+1:])
	object.SetGroupVersionKind(kindOf(t, gvr))
	client := adminDy.Resource(gvr)
	var err error
	if o.clustered {
		_, err = client.Create(ctx, &object, metav1.CreateOptions{})
	} else {
		_, err = client.Namespace(fieldsNamespace).Create(ctx, &object, metav1.CreateOptions{})
	}
	if err == nil && o.status != "" {
		_, err = client.Namespace(fieldsNamespace).Patch(ctx, object.GetName(), types.MergePatchType, []byte(o.status), metav1.PatchOptions{}, "status")
	}
	if err != nil {
		t.Fatalf("%s %s: %v", o.collection, object.GetName(), err)
	}
}

func kindOf(t *testing.T, gvr schema.GroupVersionResource) schema.GroupVersionKind {
	t.Helper()
	resources, err := admin.Discovery().ServerResourcesForGroupVersion(gvr.GroupVersion().String())
	must(t, err)
	for _, r := range resources.APIResources {
		if r.Name == gvr.Resource {
			return gvr.GroupVersion().WithKind(r.Kind)
		}
	}
	t.Fatalf("%s is not served", gvr)
	return schema.GroupVersionKind{}
}

// shirtsDefinition is a namespaced custom resource of two versions; only v1 has selectable fields.
func shirtsDefinition(paths ...string) string {
	var fields []string
	for _, path := range paths {
		fields = append(fields, fmt.Sprintf(`{"jsonPath":%q}`, path))
	}
	// Upstream takes equal schemas for one of the whole definition, and then wants the fields of all versions there too.
	const schema = `"schema":{"openAPIV3Schema":{"type":"object","description":%q,"properties":{"kind":{"type":"string"},"spec":{"type":"object","properties":{` +
		`"color":{"type":"string"},"size":{"type":"integer"},"cut":{"type":"object","properties":{"long":{"type":"boolean"}}},` +
		`"node-name_1":{"type":"string"},"optional":{"type":"string","nullable":true}}}}}}`
	return `{"metadata":{"name":"shirts.fields.example.com"},"spec":{"group":"fields.example.com","scope":"Namespaced",` +
		`"names":{"plural":"shirts","kind":"Shirt"},"versions":[` +
		`{"name":"v1","served":true,"storage":true,"selectableFields":[` + strings.Join(fields, ",") + `],` + fmt.Sprintf(schema, "v1") + `},` +
		`{"name":"v1beta1","served":true,"storage":false,` + fmt.Sprintf(schema, "v1beta1") + `}]}}`
}

var shirtPaths = []string{".spec.color", ".spec.size", ".spec.cut.long", ".spec.node-name_1", ".spec.optional", ".kind"}

const flagsDefinition = `{"metadata":{"name":"flags.fields.example.com"},"spec":{"group":"fields.example.com","scope":"Cluster",` +
	`"names":{"plural":"flags","kind":"Flag"},"versions":[{"name":"v1","served":true,"storage":true,"selectableFields":[{"jsonPath":".spec.color"}],` +
	`"schema":{"openAPIV3Schema":{"type":"object","properties":{"spec":{"type":"object","properties":{"color":{"type":"string"}}}}}}}]}}`

func defineFieldsResources(t *testing.T) {
	t.Helper()
	ctx := context.Background()
	for _, definition := range []string{shirtsDefinition(shirtPaths...), flagsDefinition} {
		createObject(t, fieldsObject{collection: "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", clustered: true, manifest: definition})
	}
	for _, name := range []string{"shirts", "flags"} {
		gvr := schema.GroupVersionResource{Group: "fields.example.com", Version: "v1", Resource: name}
		must(t, wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, 20*time.Second, true, func(ctx context.Context) (bool, error) {
			_, err := adminDy.Resource(gvr).List(ctx, metav1.ListOptions{ResourceVersion: "0"})
			return err == nil, nil
		}))
	}
}

// certificateObjects are those that need keys.
func certificateObjects(t *testing.T) []fieldsObject {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	request, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{CommonName: "fields"}}, key)
	must(t, err)
	stub, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	must(t, err)
	asPEM, err := json.Marshal(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: request}))
	must(t, err)
	asDER, err := json.Marshal(stub)
	must(t, err)
	const certificates = "/apis/certificates.k8s.io/v1/"
	var objects []fieldsObject
	for _, signer := range []string{"example.com/one", "example.com/two"} {
		name := strings.ReplaceAll(signer, "/", "-")
		objects = append(objects,
			fieldsObject{collection: certificates + "certificatesigningrequests", clustered: true, manifest: fmt.Sprintf(
				`{"metadata":{"name":%q},"spec":{"signerName":%q,"request":%s,"usages":["client auth"]}}`, name, signer, asPEM)},
			fieldsObject{collection: certificates + "podcertificaterequests", manifest: fmt.Sprintf(
				`{"metadata":{"name":%q},"spec":{"signerName":%q,"podName":"pod-%s","podUID":"u","serviceAccountName":"s","serviceAccountUID":"u",`+
					`"nodeName":"node-%s","nodeUID":"u","maxExpirationSeconds":3600,"stubPKCS10Request":%s}}`, name, signer, name, name, asDER)})
	}
	authority, err := json.Marshal(selfSigned(t))
	must(t, err)
	return append(objects,
		fieldsObject{collection: certificates + "clustertrustbundles", clustered: true, manifest: fmt.Sprintf(
			`{"metadata":{"name":"unsigned"},"spec":{"trustBundle":%s}}`, authority)},
		fieldsObject{collection: certificates + "clustertrustbundles", clustered: true, manifest: fmt.Sprintf(
			`{"metadata":{"name":"example.com:signer:one"},"spec":{"signerName":"example.com/signer","trustBundle":%s}}`, authority)})
}

func selfSigned(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "fields"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}
