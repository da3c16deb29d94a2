/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens: the examples of RFC 7515 and RFC 8037, and each way in which a token or a key file is
 * refused.  Tokens of the test's own are signed with HMAC here, by OpenSSL, as another program
 * would.
 */
#include "cm.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "pool/os.h"
#include "server/gate/auth.h"
#include "server/gate/auth_jwt.h"
#include "server/gate/auth_keys.h"

#define SECRET "0123456789abcdef0123456789abcdef"
#define NOW    1700000000

static char folder[] = "/tmp/test_auth_XXXXXX";
static char error[512];

static const char *path_of(const char *name)
{
    static char paths[4][256];
    static unsigned next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static const char *write_file(const char *name, const char *text)
{
    const char *path = path_of(name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    return path;
}

static auth_config no_keys(void)
{
    return (auth_config){
        .keys_path = "", .secret_path = "", .tokens_path = "", .issuer = "", .audience = ""};
}

static auth *make(auth_config config)
{
    auth *keys = NULL;
    error[0] = '\0';
    if (auth_create(&config, &keys, error, sizeof error) != DP_OK) {
        fail_msg("%s", error);
    }
    return keys;
}

static auth *with_jwks(const char *json)
{
    auth_config config = no_keys();
    config.keys_path = write_file("keys.json", json);
    return make(config);
}

static auth *with_secret(void)
{
    auth_config config = no_keys();
    config.secret_path = write_file("secret", SECRET "\n");
    return make(config);
}

static void encode(const void *bytes, size_t size_bytes, char *to)
{
    int length = EVP_EncodeBlock((unsigned char *)to, bytes, (int)size_bytes);
    while (length > 0 && to[length - 1] == '=') {
        length--;
    }
    to[length] = '\0';
    for (char *at = to; *at != '\0'; at++) {
        *at = *at == '+' ? '-' : *at == '/' ? '_' : *at;
    }
}

/* Signs with the secret whatever the header says. */
static const char *sign(const char *header, const char *claims)
{
    static char token[20000];
    unsigned char mac[32];
    unsigned mac_bytes = 0;
    encode(header, strlen(header), token);
    strcat(token, ".");
    encode(claims, strlen(claims), token + strlen(token));
    HMAC(EVP_sha256(), SECRET, (int)strlen(SECRET), (unsigned char *)token, strlen(token), mac,
         &mac_bytes);
    strcat(token, ".");
    encode(mac, mac_bytes, token + strlen(token));
    return token;
}

static const char *hs256(const char *claims)
{
    return sign("{\"alg\":\"HS256\"}", claims);
}

static auth_result verify_at(const auth *keys, const char *token, int64_t now_s, identity *out)
{
    memset(out, 0xA5, sizeof *out);
    auth_result result = auth_verify(keys, token, strlen(token), now_s, out);
    if (result != AUTH_OK) {
        identity untouched;
        memset(&untouched, 0xA5, sizeof untouched);
        assert_memory_equal(out, &untouched, sizeof untouched);
    }
    return result;
}

static void expect(const auth *keys, const char *token, auth_result wanted)
{
    identity who;
    assert_string_equal(auth_result_name(verify_at(keys, token, NOW, &who)),
                        auth_result_name(wanted));
}

/* RFC 7515, A.1: the MAC covers line ends that stand inside of header and claims. */
static void the_hs256_example_of_rfc_7515_is_taken_until_it_expires(void **state)
{
    (void)state;
    auth *keys = with_jwks(
        "{\"keys\":[{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-"
        "EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow\"}]}");
    static const char token[] =
        "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogI"
        "mh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    identity who;
    assert_int_equal(verify_at(keys, token, 1300819379, &who), AUTH_OK);
    assert_int_equal(who.expires_s, 1300819380);
    assert_int_equal(verify_at(keys, token, 1300819380, &who), AUTH_EXPIRED);
    auth_destroy(keys);
}

/* RFC 7515, A.2 and A.3 */
static void the_rs256_and_es256_examples_of_rfc_7515_are_taken(void **state)
{
    (void)state;
    auth *keys = with_jwks(
        "{\"keys\":[{\"kty\":\"RSA\",\"n\":\"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_"
        "wWJcyQoTbji9k0l8W26mPddx"
        "HmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_"
        "YpRPEwOWvG6b32690r2jZ47soMZo9wGz"
        "jb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-"
        "UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3"
        "qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_"
        "h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXp"
        "oQ\",\"e\":\"AQAB\"},{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
        "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8"
        "Tus9uPHvRVEU\",\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\"}]}");
    static const char rs256[] =
        "eyJhbGciOiJSUzI1NiJ9."
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNv"
        "bS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__"
        "dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4"
        "Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_"
        "nZLgrnbyTyWzO75vRK5h6xB"
        "ArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-"
        "eOkHWEsqtFZESc6BfI7noOPqvhJ1"
        "phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    static const char es256[] =
        "eyJhbGciOiJFUzI1NiJ9."
        "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNv"
        "bS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-"
        "F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfK"
        "TUJqPP3-Kg6NU1Q";
    identity who;
    assert_int_equal(verify_at(keys, rs256, 1300819379, &who), AUTH_OK);
    assert_int_equal(verify_at(keys, es256, 1300819379, &who), AUTH_OK);
    char changed[sizeof es256];
    memcpy(changed, es256, sizeof es256);
    changed[40] = changed[40] == 'A' ? 'B' : 'A';
    assert_int_equal(verify_at(keys, changed, 1300819379, &who), AUTH_BAD_SIGNATURE);
    auth_destroy(keys);
}

/* RFC 8037, A.2 and A.4: the payload is no object, so the signature alone is looked at. */
static void the_eddsa_example_of_rfc_8037_verifies(void **state)
{
    (void)state;
    static const char jws[] =
        "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-"
        "09PGcvMg"
        "3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    auth_config config = no_keys();
    config.keys_path =
        write_file("ed.json",
                   "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"kid\":\"e\",\"x\":"
                   "\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}]}");
    auth_keys *keys;
    auth_error wrong = {error, sizeof error};
    jwt token;
    assert_int_equal(auth_keys_read(&config, &keys, &wrong), DP_OK);
    assert_true(jwt_parse(jws, sizeof jws - 1, &token));
    assert_int_equal(auth_keys_verify(keys, &token), AUTH_OK);
    token.signature[3] ^= 1;
    assert_int_equal(auth_keys_verify(keys, &token), AUTH_BAD_SIGNATURE);
    auth_keys_destroy(keys);
}

static void claims_become_an_identity(void **state)
{
    (void)state;
    auth *keys = with_secret();
    identity who;
    const char *token = hs256(
        "{\"sub\":\"u1\",\"name\":\" \\u5c0f\\u660e \",\"rooms\":[\"lobby\","
        "\"game-*\"],\"roles\":[\"mod\",\"unheard of\"],\"exp\":1700000100.9,"
        "\"limits\":{\"messages_per_s\":7,\"x\":[1]},\"other\":{\"sub\":\"no\"}}");
    assert_int_equal(verify_at(keys, token, NOW, &who), AUTH_OK);
    assert_false(who.is_guest);
    assert_string_equal(who.sub, "u1");
    assert_string_equal(who.name, "小明");
    assert_string_equal(who.rooms, "lobby,game-*");
    assert_int_equal(who.roles, IDENTITY_VIEWER | IDENTITY_PUBLISHER | IDENTITY_MODERATOR);
    assert_int_equal(who.messages_per_s, 7);
    assert_int_equal(who.expires_s, 1700000100);
    for (size_t i = 0; i < sizeof who.address.bytes; i++) {
        assert_int_equal(who.address.bytes[i], 0xA5); /* is the caller's */
    }
    auth_destroy(keys);
}

static void roles_are_what_the_token_says_and_writing_where_it_says_nothing(void **state)
{
    (void)state;
    auth *keys = with_secret();
    identity who;
    assert_int_equal(verify_at(keys, hs256("{}"), NOW, &who), AUTH_OK);
    assert_int_equal(who.roles, IDENTITY_VIEWER | IDENTITY_PUBLISHER);
    assert_string_equal(who.rooms, "");
    assert_int_equal(verify_at(keys, hs256("{\"roles\":[]}"), NOW, &who), AUTH_OK);
    assert_int_equal(who.roles, IDENTITY_VIEWER);
    assert_int_equal(verify_at(keys, hs256("{\"roles\":\"viewer backend\"}"), NOW, &who), AUTH_OK);
    assert_int_equal(who.roles, IDENTITY_VIEWER | IDENTITY_PUBLISHER | IDENTITY_BACKEND);
    auth_destroy(keys);
}

static void an_algorithm_is_the_keys_and_never_the_tokens(void **state)
{
    (void)state;
    auth *keys = with_secret();
    expect(keys, sign("{\"alg\":\"none\"}", "{}"), AUTH_BAD_SIGNATURE);
    expect(keys, "eyJhbGciOiJub25lIn0.e30.", AUTH_BAD_SIGNATURE);
    expect(keys, sign("{\"alg\":\"hs256\"}", "{}"), AUTH_BAD_SIGNATURE);
    expect(keys, sign("{\"alg\":\"RS256\"}", "{}"), AUTH_BAD_SIGNATURE);
    expect(keys, sign("{\"alg\":\"HS256HS256HS256HS256HS256\"}", "{}"), AUTH_BAD_SIGNATURE);
    auth_destroy(keys);
    /* The public key's own text as a secret: what careless verifiers take. */
    keys = with_jwks(
        "{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcv"
        "PapiMlrwIaaPcHURo\"}]}");
    expect(keys, hs256("{}"), AUTH_BAD_SIGNATURE);
    auth_destroy(keys);
}

static void keys_are_told_apart_by_kid(void **state)
{
    (void)state;
    char k[64];
    char json[512];
    encode(SECRET, strlen(SECRET), k);
    snprintf(
        json, sizeof json,
        "{\"keys\":[{\"kty\":\"oct\",\"kid\":\"a\",\"k\":\"%s\"},{\"kty\":\"oct\",\"kid\":\"b\","
        "\"k\":\"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\"}]}",
        k);
    auth *keys = with_jwks(json);
    expect(keys, sign("{\"alg\":\"HS256\",\"kid\":\"a\"}", "{}"), AUTH_OK);
    expect(keys, sign("{\"alg\":\"HS256\",\"kid\":\"b\"}", "{}"), AUTH_BAD_SIGNATURE);
    expect(keys, sign("{\"alg\":\"HS256\",\"kid\":\"c\"}", "{}"), AUTH_UNKNOWN_KEY);
    expect(keys, hs256("{}"), AUTH_OK); /* without a kid every key is tried */
    auth_destroy(keys);
}

static void times_are_taken_with_the_leeway_and_no_more(void **state)
{
    (void)state;
    auth_config config = no_keys();
    config.secret_path = write_file("secret", SECRET);
    config.leeway_s = 30;
    auth *keys = make(config);
    expect(keys, hs256("{\"exp\":1699999971}"), AUTH_OK);
    expect(keys, hs256("{\"exp\":1699999970}"), AUTH_EXPIRED);
    expect(keys, hs256("{\"nbf\":1700000030}"), AUTH_OK);
    expect(keys, hs256("{\"nbf\":1700000031}"), AUTH_NOT_YET);
    auth_destroy(keys);
}

static void audience_and_issuer_are_asked_for_where_they_are_configured(void **state)
{
    (void)state;
    auth_config config = no_keys();
    config.secret_path = write_file("secret", SECRET);
    config.audience = "danpool";
    config.issuer = "me";
    auth *keys = make(config);
    expect(keys, hs256("{\"aud\":\"danpool\",\"iss\":\"me\"}"), AUTH_OK);
    expect(keys, hs256("{\"aud\":[\"x\",\"danpool\"],\"iss\":\"me\"}"), AUTH_OK);
    expect(keys, hs256("{\"aud\":[\"x\"],\"iss\":\"me\"}"), AUTH_WRONG_AUDIENCE);
    expect(keys, hs256("{\"iss\":\"me\"}"), AUTH_WRONG_AUDIENCE);
    expect(keys, hs256("{\"aud\":\"danpool\",\"iss\":\"you\"}"), AUTH_WRONG_ISSUER);
    expect(keys, hs256("{\"aud\":\"danpool\"}"), AUTH_WRONG_ISSUER);
    auth_destroy(keys);
}

static void what_is_no_token_is_malformed(void **state)
{
    (void)state;
    static const char *const claims[] = {
        "[]",
        "1",
        "{",
        "{}{}",
        "{\"exp\":\"1\"}",
        "{\"exp\":1e400}",
        "{\"exp\":-1}",
        "{\"exp\":null}",
        "{\"exp\":[1]}",
        "{\"sub\":1}",
        "{\"sub\":\"a\\u0000b\"}",
        "{\"sub\":\"a\",\"sub\":\"b\"}",
        "{\"rooms\":[]}",
        "{\"rooms\":\"\"}",
        "{\"rooms\":[\"a,b\"]}",
        "{\"rooms\":[\"a*b\"]}",
        "{\"rooms\":[[\"a\"]]}",
        "{\"rooms\":[1]}",
        "{\"rooms\":{\"a\":1}}",
        "{\"roles\":true}",
        "{\"limits\":1}",
        "{\"limits\":{\"messages_per_s\":0}}",
        "{\"limits\":{\"messages_per_s\":\"1\"}}",
        "{\"limits\":{\"messages_per_s\":1,\"messages_per_s\":2}}",
        "{\"sub\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}"};
    auth *keys = with_secret();
    for (size_t i = 0; i < sizeof claims / sizeof claims[0]; i++) {
        identity who;
        if (verify_at(keys, hs256(claims[i]), NOW, &who) != AUTH_MALFORMED) {
            fail_msg("taken: %s", claims[i]);
        }
    }
    static const char *const tokens[] = {"",
                                         ".",
                                         "..",
                                         "...",
                                         "a.b.c",
                                         "e30.e30.",
                                         "eyJhbGciOiJIUzI1NiJ9.e30",
                                         "no-point",
                                         "eyJhbGciOiJIUzI1NiJ9.e30.A",
                                         "eyJhbGciOiJIUzI1NiJ9.e30.AA==",
                                         "eyJhbGciOiJIUzI1NiJ9.e30.AB"};
    for (size_t i = 0; i < sizeof tokens / sizeof tokens[0]; i++) {
        expect(keys, tokens[i], AUTH_MALFORMED);
    }
    expect(keys, sign("{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}", "{}"),
           AUTH_MALFORMED);
    expect(keys, sign("{\"alg\":\"HS256\",\"alg\":\"HS256\"}", "{}"), AUTH_MALFORMED);
    char *large = calloc(1, AUTH_TOKEN_BYTES_MAX + 2);
    assert_non_null(large);
    memset(large, 'a', AUTH_TOKEN_BYTES_MAX + 1);
    expect(keys, large, AUTH_MALFORMED);
    free(large);
    auth_destroy(keys);
}

static void without_keys_a_token_is_refused(void **state)
{
    (void)state;
    auth *keys = make(no_keys());
    assert_false(auth_is_enabled(keys));
    expect(keys, hs256("{}"), AUTH_DISABLED);
    auth_destroy(keys);
}

static void api_tokens_are_known_by_their_hash(void **state)
{
    (void)state;
    auth_config config = no_keys();
    /* sha256 of "test" and of "other" */
    config.tokens_path = write_file(
        "tokens",
        "# back ends\n"
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 shop backend *\n\n"
        "d9298a10d1b0735837dc4bd85dac641b0f3cef27a47e5d53a54f2f3f5b2fcffa  bot "
        "publisher,mod\tlobby,x-* # own\n");
    auth *keys = make(config);
    identity who;
    assert_int_equal(verify_at(keys, "test", NOW, &who), AUTH_OK);
    assert_string_equal(who.sub, "shop");
    assert_string_equal(who.rooms, "");
    assert_true((who.roles & IDENTITY_BACKEND) != 0);
    assert_int_equal(verify_at(keys, "other", NOW, &who), AUTH_OK);
    assert_string_equal(who.rooms, "lobby,x-*");
    expect(keys, "Test", AUTH_UNKNOWN_KEY);
    auth_destroy(keys);
}

static void refuse(auth_config config, const char *words)
{
    auth *keys = NULL;
    error[0] = '\0';
    assert_int_equal(auth_create(&config, &keys, error, sizeof error), DP_ERR_INVALID);
    assert_null(keys);
    if (strstr(error, words) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", error, words);
    }
}

static void a_bad_file_is_named_with_the_reason(void **state)
{
    (void)state;
    static const struct {
        const char *json, *words;
    } rows[] = {
        {"[]", "not a JWKS"},
        {"{\"keys\":[]}", "no key for"},
        {"{\"keys\":[{\"kty\":\"RSA\",\"alg\":\"PS256\"}]}", "no key for"},
        {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"AAAA\"}]}", "key 1: a secret of 3 bytes"},
        {"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}",
         "key 1: not a key for RS256"},
        {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":"
         "\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVE"
         "U\",\"y\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"}]}",
         "not a key for ES256"},
        {"{\"keys\":[{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AAAA\"}]}",
         "not a key for EdDSA"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        auth_config config = no_keys();
        config.keys_path = write_file("bad.json", rows[i].json);
        refuse(config, rows[i].words);
        assert_non_null(strstr(error, "bad.json"));
    }
    auth_config config = no_keys();
    config.secret_path = write_file("secret", "short\n");
    refuse(config, "a secret of 5 bytes");
    config.secret_path = path_of("absent");
    refuse(config, "No such file");
    config.secret_path = folder;
    refuse(config, "not a file");
    config = no_keys();
    config.tokens_path = write_file("tokens", "\nabc shop backend *\n");
    refuse(config, "tokens:2: the hash");
    config.tokens_path = write_file(
        "tokens", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08 shop god *\n");
    refuse(config, "tokens:1: roles are");
}

static void a_reload_takes_new_keys_and_a_bad_one_keeps_the_old(void **state)
{
    (void)state;
    auth *keys = with_secret();
    const char *token = hs256("{}");
    expect(keys, token, AUTH_OK);
    write_file("secret", "short");
    assert_int_equal(auth_reload(keys, error, sizeof error), DP_ERR_INVALID);
    expect(keys, token, AUTH_OK);
    write_file("secret", "another secret of more than 32 bytes");
    assert_int_equal(auth_reload(keys, error, sizeof error), DP_OK);
    expect(keys, token, AUTH_BAD_SIGNATURE);
    auth_destroy(keys);
}

static void no_memory_is_a_status_and_leaves_nothing(void **state)
{
    (void)state;
    auth_config config = no_keys();
    config.secret_path = write_file("secret", SECRET);
    config.tokens_path = write_file("tokens", "");
    for (uint64_t nth = 1;; nth++) {
        auth *keys = NULL;
        os_malloc_fail_nth(nth);
        dp_status status = auth_create(&config, &keys, error, sizeof error);
        if (os_malloc_fail_nth(0) != 0) {
            assert_int_equal(status, DP_OK);
            assert_true(nth > 4);
            auth_destroy(keys);
            return;
        }
        assert_int_equal(status, DP_ERR_NOMEM);
        assert_null(keys);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hs256_example_of_rfc_7515_is_taken_until_it_expires),
        cmocka_unit_test(the_rs256_and_es256_examples_of_rfc_7515_are_taken),
        cmocka_unit_test(the_eddsa_example_of_rfc_8037_verifies),
        cmocka_unit_test(claims_become_an_identity),
        cmocka_unit_test(roles_are_what_the_token_says_and_writing_where_it_says_nothing),
        cmocka_unit_test(an_algorithm_is_the_keys_and_never_the_tokens),
        cmocka_unit_test(keys_are_told_apart_by_kid),
        cmocka_unit_test(times_are_taken_with_the_leeway_and_no_more),
        cmocka_unit_test(audience_and_issuer_are_asked_for_where_they_are_configured),
        cmocka_unit_test(what_is_no_token_is_malformed),
        cmocka_unit_test(without_keys_a_token_is_refused),
        cmocka_unit_test(api_tokens_are_known_by_their_hash),
        cmocka_unit_test(a_bad_file_is_named_with_the_reason),
        cmocka_unit_test(a_reload_takes_new_keys_and_a_bad_one_keeps_the_old),
        cmocka_unit_test(no_memory_is_a_status_and_leaves_nothing),
    };
    if (mkdtemp(folder) == NULL) {
        return 1;
    }
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    static const char *const names[] = {"keys.json", "secret", "ed.json", "bad.json", "tokens"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        unlink(path_of(names[i]));
    }
    rmdir(folder);
    return failed;
}
