#include <gtest/gtest.h>

#include "protocol/k8s/read_request.h"

namespace weir {
namespace {

http::RequestHead Request(std::string target, std::string_view header = "",
                          std::string_view value = "") {
  http::RequestHead head;
  head.method = "GET";
  head.target = std::move(target);
  if (!header.empty()) head.headers.Add(header, value);
  return head;
}

bool Plain(std::string_view accept, bool watch = false) {
  return AcceptsPlainJson(Request("/api/v1/pods", "Accept", accept), watch);
}

TEST(AcceptTest, JsonThatCertainlyWinsIsServed) {
  EXPECT_TRUE(AcceptsPlainJson(Request("/api/v1/pods"), false));
  for (const char* accept :
       {"", "application/json", "*/*", "application/*,application/json;q=0.5",
        "application/json, */*", "*/*, application/json", " application/json ",
        "application/json;q=0", "application/json; q=0.9", "application/json;charset=utf-8",
        "application/json,application/yaml", "application/yaml;q=0.5,application/json",
        "*/*;q=0.8,application/yaml;q=0.1,application/json",
        "application/vnd.kubernetes.protobuf;q=0.9,application/json",
        "application/json,application/json;as=Table;v=v1;g=meta.k8s.io",
        "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8",
        "application/json;q=0.9,application/json;q=0.1,text/html"}) {
    EXPECT_TRUE(Plain(accept)) << accept;
  }
}

TEST(AcceptTest, OtherFormsAndDoubtsAreNot) {
  for (const char* accept : {"application/yaml",
                             "application/vnd.kubernetes.protobuf",
                             "application/vnd.kubernetes.protobuf,application/json",
                             "application/cbor,application/json",
                             "application/json;q=0.9,application/cbor;q=1",
                             "application/*",
                             "*",
                             "text/html",
                             "application/xml, text/plain",
                             "application/json;as=Table;v=v1;g=meta.k8s.io,application/json",
                             "application/json;as=PartialObjectMetadataList;v=v1, application/json",
                             "application/json;pretty=1",
                             "application/json;pretty=0",
                             "application/json;sv=v1",
                             "application/json;stream=watch",
                             "*/json",
                             "*/*;as=Table",
                             "application/json,",
                             ",application/json",
                             "application/json;",
                             "application/json;q",
                             "application/json;q=",
                             "application/json;q=2",
                             "application/json;q=1.5",
                             "application/json;q=-1",
                             "application/json;q=0.1;q=1",
                             "application/json;q=0.1234",
                             "application/json;q=1e1",
                             "application/json;a=b=c",
                             "application/json;a=\"b,c\"",
                             "Application/JSON",
                             "application/json ;q=1",
                             "application/json;Q=1",
                             "application /json",
                             "a/b/c",
                             "application/json\t"}) {
    EXPECT_FALSE(Plain(accept)) << accept;
  }
}

// Upstream's comparison is no order: a more specific clause overtakes a heavier one next to it.
TEST(AcceptTest, ClausesAreWeighedAsUpstreamSortsThem) {
  EXPECT_TRUE(Plain("*/*;q=1,application/yaml;q=0.5,application/json;q=0.7"));
  EXPECT_FALSE(Plain("*/*;q=1,application/yaml;q=0.5"));
  EXPECT_FALSE(Plain("application/yaml;q=0.5,*/*;q=0.4"));
  EXPECT_TRUE(Plain("application/yaml;q=0.4,*/*;q=0.5"));
  EXPECT_FALSE(Plain("application/json;q=0.5,application/yaml;q=0.7"));
  EXPECT_TRUE(Plain("application/json;q=0.700,application/yaml;q=0.7"));
}

TEST(AcceptTest, MoreClausesThanUpstreamSortsStablyAreNotWeighed) {
  std::string accept = "application/json";
  for (int i = 0; i < 11; ++i) accept += ",text/html";
  EXPECT_TRUE(Plain(accept));
  EXPECT_FALSE(Plain(accept + ",text/html"));
}

TEST(AcceptTest, WatchesMayNameTheirStreamForm) {
  EXPECT_TRUE(Plain("application/json;stream=watch", true));
  EXPECT_TRUE(Plain("application/json, application/json;stream=watch", true));
  EXPECT_FALSE(Plain("application/json;stream=other", true));
  EXPECT_FALSE(Plain("application/vnd.kubernetes.protobuf;stream=watch", true));
}

TEST(AcceptTest, SeveralLinesAreNotServed) {
  http::RequestHead head = Request("/api/v1/pods", "Accept", "application/json");
  head.headers.Add("accept", "application/json");
  EXPECT_FALSE(AcceptsPlainJson(head, false));
}

TEST(WantsPrettyTest, TheParameterDecidesWhereItIsNotEmpty) {
  for (const char* yes : {"pretty=1", "pretty=t", "pretty=T", "pretty=true", "pretty=TRUE",
                          "pretty=True", "x=1&pretty=true&pretty=false"}) {
    EXPECT_TRUE(WantsPretty(Request(std::string("/api/v1/pods?") + yes))) << yes;
  }
  for (const char* no : {"pretty=0", "pretty=false", "pretty=yes", "pretty=tRUE", "pretty=",
                         "pretty", "%70retty=1", "Pretty=1", "pretty=false&pretty=true"}) {
    EXPECT_FALSE(WantsPretty(Request(std::string("/api/v1/pods?") + no))) << no;
  }
}

TEST(WantsPrettyTest, ElseThePersonBehindTheClientDoes) {
  for (const char* agent : {"curl/8.0", "Wget/1.21", "Mozilla/5.0 (X11)"}) {
    EXPECT_TRUE(WantsPretty(Request("/api/v1/pods", "User-Agent", agent))) << agent;
    EXPECT_TRUE(WantsPretty(Request("/api/v1/pods?pretty", "User-Agent", agent))) << agent;
    EXPECT_FALSE(WantsPretty(Request("/api/v1/pods?pretty=false", "User-Agent", agent))) << agent;
    EXPECT_FALSE(WantsPretty(Request("/api/v1/pods?pretty=yes", "User-Agent", agent))) << agent;
  }
  for (const char* agent : {"", "kubelet/v1.37", "Curl/8.0", "libcurl", "Mozilla/4.0"}) {
    EXPECT_FALSE(WantsPretty(Request("/api/v1/pods", "User-Agent", agent))) << agent;
  }
}

TEST(WantsPrettyTest, TheMediaTypeCanAskToo) {
  EXPECT_TRUE(WantsPretty(Request("/api/v1/pods?pretty=false", "Accept",
                                  "application/yaml, application/json; pretty=1")));
  EXPECT_FALSE(WantsPretty(Request("/api/v1/pods", "Accept", "application/json;pretty=true")));
}

}  // namespace
}  // namespace weir
