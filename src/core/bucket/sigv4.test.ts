import { expect, test } from "vitest";
import { presign, type Signable, type Signer, signatureOf } from "./sigv4.ts";

/*
 * AWS's published test suite (docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-test-suite or, as files,
 * tests/unit/auth/aws4_testsuite of boto/botocore) and the example of S3's own page, both read in 2026-11.
 */

const SUITE: Signer = {
  accessKeyId: "AKIDEXAMPLE",
  secretAccessKey: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
  region: "us-east-1",
  service: "service",
};
const AT = new Date("2015-08-30T12:36:00Z");
const EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
const UNRESERVED = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const HEADERS = { host: "example.amazonaws.com", "x-amz-date": "20150830T123600Z" };

const VECTORS: readonly [string, Partial<Signable>, string][] = [
  ["get-vanilla", {}, "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"],
  ["post-vanilla", { method: "POST" }, "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"],
  [
    "get-vanilla-query-order-key-case",
    {
      query: [
        ["Param2", "value2"],
        ["Param1", "value1"],
      ],
    },
    "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
  ],
  [
    "get-vanilla-query-order-key",
    {
      query: [
        ["Param1", "value2"],
        ["Param1", "Value1"],
      ],
    },
    "eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1",
  ],
  [
    "get-vanilla-query-unreserved",
    { query: [[UNRESERVED, UNRESERVED]] },
    "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197",
  ],
  [
    "get-vanilla-utf8-query",
    { query: [["ሴ", "bar"]] },
    "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
  ],
  ["get-utf8", { path: "/%E1%88%B4" }, "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"],
  [
    "get-header-value-trim",
    { headers: { ...HEADERS, "my-header1": " value1", "my-header2": ' "a   b   c"' } },
    "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
  ],
];

test.each(VECTORS)("AWS's test suite: %s", (_, request, signature) => {
  const whole = { method: "GET", path: "/", query: [], headers: HEADERS, payload: EMPTY, ...request };
  expect(signatureOf(whole, SUITE, AT)).toBe(signature);
});

test("S3's example of a signed address", () => {
  // docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html, "An Example"
  const signer = {
    ...SUITE,
    accessKeyId: "AKIAIOSFODNN7EXAMPLE",
    secretAccessKey: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    service: "s3",
  };
  const request = { method: "GET", path: "/test.txt", query: [], headers: { host: "examplebucket.s3.amazonaws.com" } };
  expect(
    presign("https://examplebucket.s3.amazonaws.com", {
      request,
      signer,
      at: new Date("2013-05-24T00:00:00Z"),
      seconds: 86_400,
    }),
  ).toBe(
    "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256" +
      "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request" +
      "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400" +
      "&X-Amz-SignedHeaders=host&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
  );
});
