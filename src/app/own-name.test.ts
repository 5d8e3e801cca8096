import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ownHandle, plainHandle } from "./own-name.ts";

describe("the name of an account", () => {
  test("is the platform's handle, and has a tag where another account has that", () => {
    const first = { subject: "1@a.example", handle: "ada@fedi.example" };
    const second = { subject: "1@b.example", handle: "Ada@fedi.example" };
    expect(ownHandle(first, [])).toBe("ada@fedi.example");
    expect(ownHandle(second, [first])).toMatch(/^Ada@fedi\.example#[0-9a-f]{4}$/);
    expect(ownHandle(second, [{ ...first, handle: "somebody" }])).toBe("Ada@fedi.example");
  });

  test("stays when the account is connected again, whoever was there first", () => {
    const first = { subject: "one", handle: "blog" };
    const named = { subject: "two", handle: ownHandle({ subject: "two", handle: "blog" }, [first]) };
    expect(ownHandle({ subject: "two", handle: "blog" }, [first], named)).toBe(named.handle);
    expect(ownHandle({ subject: "two", handle: "blog" }, [], named)).toBe(named.handle);
    expect(ownHandle(first, [named], first)).toBe("blog");
    expect(ownHandle({ subject: "two", handle: "diary" }, [first], named)).toBe("diary");
  });

  test("of a feed or a webhook from an earlier psn, with the end of its subject as a tag, stays", () => {
    const former = { subject: "0123456789abcdef", handle: "example.com/b#cdef" };
    expect(ownHandle({ ...former, handle: "example.com/b" }, [{ subject: "x", handle: "example.com/b" }], former)).toBe(
      former.handle,
    );
    expect(plainHandle(former)).toBe("example.com/b");
  });

  test("leaves a # of the platform's own alone", () => {
    expect(plainHandle({ subject: "urn:li:person:x1", handle: "Ada #1" })).toBe("Ada #1");
    expect(plainHandle({ subject: "abcd", handle: "#abcd" })).toBe("#abcd");
  });

  test("is never another's, in whatever order accounts come", () => {
    const handle = fc.constantFrom("ada", "Ada", "ada#1", "blog");
    const accounts = fc.uniqueArray(fc.record({ subject: fc.uuid(), handle }), {
      maxLength: 40,
      selector: ({ subject }) => subject,
    });
    fc.assert(
      fc.property(accounts, (profiles) => {
        const known: { subject: string; handle: string }[] = [];
        for (const profile of profiles) {
          const named = { ...profile, handle: ownHandle(profile, known) };
          expect(plainHandle(named)).toBe(profile.handle);
          known.push(named);
        }
        expect(new Set(known.map((one) => one.handle.toLowerCase())).size).toBe(known.length);
      }),
    );
  });
});
