/* Certificates for tests alone, valid from 2020 to 2190, whose keys everybody can read here:
 *   root     whom tests trust            middle   of root; signs server
 *   server   localhost, *.example.org and the address 127.0.0.1, with its chain
 *   other    other.test                  numbers  127.0.0.1 as a DNS name, which is none
 *   client   a client's own              expired  as server, until February 2020
 *   self     localhost and 127.0.0.1, by itself
 *   six      the address ::1, by itself */
#ifndef TLS_CERTS_H
#define TLS_CERTS_H

UNUSED static const char tls_root_cert[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBXDCCAQGgAwIBAgIBATAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlUZXN0IHJv\n"
    "b3QwIBcNMjAwMTAxMDAwMDAwWhgPMjE5MDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM\n"
    "CVRlc3Qgcm9vdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABPC3nxZ+IHoqbTl4\n"
    "7OkTEZCBUReCCZyuzt2i0NA1BubZqYNjHtuZwczHolYmF33doghQ7n81ewhvSx74\n"
    "oocmhSejQjBAMA8GA1UdEwEB/wQFMAMBAf8wDgYDVR0PAQH/BAQDAgEGMB0GA1Ud\n"
    "DgQWBBTeiIFw0L1BcxYjlwI/k1zLcPjJmjAKBggqhkjOPQQDAgNJADBGAiEAqvvn\n"
    "8jUml+pSIJk99GqbQimw2ncRwK5gPkY4Z9oD8ykCIQCJzljhZWnkn59aKSr+LWp2\n"
    "FQHh7I9vG7Du9kG8QI40Yg==\n"
    "-----END CERTIFICATE-----\n";
UNUSED static const char tls_server_cert[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBiDCCAS6gAwIBAgIBAzAKBggqhkjOPQQDAjAWMRQwEgYDVQQDDAtUZXN0IG1p\n"
    "ZGRsZTAgFw0yMDAxMDEwMDAwMDBaGA8yMTkwMDEwMTAwMDAwMFowFDESMBAGA1UE\n"
    "AwwJbG9jYWxob3N0MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE4X9gArB1Uy6s\n"
    "0W9b7qyP8qb6Qz6fTiHzrP/bQMPShvq6Ym8iZm+Gctvk65+pHYhAH3DOAZfQ+bm9\n"
    "KB5PjBssLKNtMGswKQYDVR0RBCIwIIIJbG9jYWxob3N0gg0qLmV4YW1wbGUub3Jn\n"
    "hwR/AAABMB0GA1UdDgQWBBTzNBWeRnvAVOZHVia1u64dU5637TAfBgNVHSMEGDAW\n"
    "gBS1k0+ZY/M73zPUCE9+aFXzlqNjFDAKBggqhkjOPQQDAgNIADBFAiEA0kHoSd69\n"
    "Kv2gS4syiFqMulrqz4pFSKWPxgROKAuFvNECIFpx+H+C59ze/A+HdhLdtremErUe\n"
    "+KwN23f7zwvKJJRz\n"
    "-----END CERTIFICATE-----\n"
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBfzCCASSgAwIBAgIBAjAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlUZXN0IHJv\n"
    "b3QwIBcNMjAwMTAxMDAwMDAwWhgPMjE5MDAxMDEwMDAwMDBaMBYxFDASBgNVBAMM\n"
    "C1Rlc3QgbWlkZGxlMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaKQbsSjePHDM\n"
    "uBStR4QWdJpLks+NNuRLtK9h7vUEYa8q/AlfAb7RULf5gomkB9GTHM33MwFZbrlL\n"
    "26GiQq/6JKNjMGEwDwYDVR0TAQH/BAUwAwEB/zAOBgNVHQ8BAf8EBAMCAgQwHQYD\n"
    "VR0OBBYEFLWTT5lj8zvfM9QIT35oVfOWo2MUMB8GA1UdIwQYMBaAFN6IgXDQvUFz\n"
    "FiOXAj+TXMtw+MmaMAoGCCqGSM49BAMCA0kAMEYCIQCr7roGFs0RJTTjjfVkgvhP\n"
    "SgP+yCoofk3+kQAVDUFw+QIhAPOvWghGCEEni995f2Sq7J6dG+ooPrAjOWQSEyi1\n"
    "sLdV\n"
    "-----END CERTIFICATE-----\n";
UNUSED static const char tls_server_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgiQreZZNCOmY8zl5s\n"
    "ErryvuqvrGlT4gf4R9n4BN+VLBuhRANCAAThf2ACsHVTLqzRb1vurI/ypvpDPp9O\n"
    "IfOs/9tAw9KG+rpibyJmb4Zy2+Trn6kdiEAfcM4Bl9D5ub0oHk+MGyws\n"
    "-----END PRIVATE KEY-----\n";
UNUSED static const char tls_other_cert[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBbTCCARSgAwIBAgIBBDAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlUZXN0IHJv\n"
    "b3QwIBcNMjAwMTAxMDAwMDAwWhgPMjE5MDAxMDEwMDAwMDBaMBAxDjAMBgNVBAMM\n"
    "BW90aGVyMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEsoJoFibJ9dVHTWaTzE6o\n"
    "a8nqnZRBg3Nhnjw0B6CpD8iww+EvXSMfGkPHdZ/v+iPsPRht7sCaNjc8JtgKFFit\n"
    "kaNZMFcwFQYDVR0RBA4wDIIKb3RoZXIudGVzdDAdBgNVHQ4EFgQU3eyENUpjylOv\n"
    "uKN7/yOfTcc0JXIwHwYDVR0jBBgwFoAU3oiBcNC9QXMWI5cCP5Ncy3D4yZowCgYI\n"
    "KoZIzj0EAwIDRwAwRAIgArvDHWFrB+EkJLZd2EKMwHOdrotRDLPy3BcUmbU7R20C\n"
    "IECzgWniImwDCJLGDqf/81yjm7vWl3p0BMCEsX669WYk\n"
    "-----END CERTIFICATE-----\n";
UNUSED static const char tls_other_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgOQhgsk6gafn1vggh\n"
    "dAsyvg+bwfTS6vDyzpDHehuqHIKhRANCAASygmgWJsn11UdNZpPMTqhryeqdlEGD\n"
    "c2GePDQHoKkPyLDD4S9dIx8aQ8d1n+/6I+w9GG3uwJo2Nzwm2AoUWK2R\n"
    "-----END PRIVATE KEY-----\n";
UNUSED static const char tls_numbers_cert[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBbzCCARWgAwIBAgIBBTAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlUZXN0IHJv\n"
    "b3QwIBcNMjAwMTAxMDAwMDAwWhgPMjE5MDAxMDEwMDAwMDBaMBIxEDAOBgNVBAMM\n"
    "B251bWJlcnMwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAAQRzFLztBnmOl4AlA1L\n"
    "mdCSCVnYfaJdgqlQxSvQyRwPWid3EZDw6+98wEoFh4XAEWtdQlVGVS5SgnDM2Ojs\n"
    "v7Xfo1gwVjAUBgNVHREEDTALggkxMjcuMC4wLjEwHQYDVR0OBBYEFCeEWJOgLK19\n"
    "jFCd6cp2f4HQ194dMB8GA1UdIwQYMBaAFN6IgXDQvUFzFiOXAj+TXMtw+MmaMAoG\n"
    "CCqGSM49BAMCA0gAMEUCIQCs2FBOG4/6UuctCkyo8O/kUfK2vPgOin12vu/PhvbG\n"
    "AwIgWT0XTc0Soh6L8m8gpWyQE7iUnUToppffV95cPdRKj94=\n"
    "-----END CERTIFICATE-----\n";
UNUSED static const char tls_numbers_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgZAWcUrSqIDx4gk1v\n"
    "d/t7yyCjJc/9wrk9TAcR/LYHuSGhRANCAAQRzFLztBnmOl4AlA1LmdCSCVnYfaJd\n"
    "gqlQxSvQyRwPWid3EZDw6+98wEoFh4XAEWtdQlVGVS5SgnDM2Ojsv7Xf\n"
    "-----END PRIVATE KEY-----\n";
UNUSED static const char tls_client_cert[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBcTCCARagAwIBAgIBBjAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlUZXN0IHJv\n"
    "b3QwIBcNMjAwMTAxMDAwMDAwWhgPMjE5MDAxMDEwMDAwMDBaMBExDzANBgNVBAMM\n"
    "BmNsaWVudDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABHCaeJiEJKhrTd+H3Fcx\n"
    "ZBz7q5ZBIN+cynxgGVIWQ7dSFmBRjTu60u6SU+uZh1YYGUMVdL/qGiYEdnc3+X04\n"
    "4CyjWjBYMBYGA1UdEQQPMA2CC2NsaWVudC50ZXN0MB0GA1UdDgQWBBS0YYKpgd7Z\n"
    "ASl3lvIicMrmolpK9TAfBgNVHSMEGDAWgBTeiIFw0L1BcxYjlwI/k1zLcPjJmjAK\n"
    "BggqhkjOPQQDAgNJADBGAiEAw4t1D/84YxDQSk1YN3YDnHcSq8d2qVjaH+t3eixW\n"
    "a64CIQCKhw77SMrJEqjhn62OPb2E/ZiQaEhRJIDxQsqDgzgaJA==\n"
    "-----END CERTIFICATE-----\n";
UNUSED static const char tls_client_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgE0oYy/fHKm0kruIv\n"
    "s9usurT2ir32COd2cwsCz4pGSXehRANCAARwmniYhCSoa03fh9xXMWQc+6uWQSDf\n"
    "nMp8YBlSFkO3UhZgUY07utLuklPrmYdWGBlDFXS/6homBHZ3N/l9OOAs\n"
    "-----END PRIVATE KEY-----\n";
UNUSED static const char tls_expired_cert[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBcjCCARmgAwIBAgIBBzAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlUZXN0IHJv\n"
    "b3QwHhcNMjAwMTAxMDAwMDAwWhcNMjAwMjAxMDAwMDAwWjASMRAwDgYDVQQDDAdl\n"
    "eHBpcmVkMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE6Cr81gNeU099AZwtYoXz\n"
    "jf07w0NYJIL8OdPqMO/iccxZHhPRiASMkyuUPafbCpVjijWdtCHPOCU30nU8Mg+F\n"
    "CKNeMFwwGgYDVR0RBBMwEYIJbG9jYWxob3N0hwR/AAABMB0GA1UdDgQWBBTRHOU5\n"
    "2+zillhrS0tZLwOvFsYhXzAfBgNVHSMEGDAWgBTeiIFw0L1BcxYjlwI/k1zLcPjJ\n"
    "mjAKBggqhkjOPQQDAgNHADBEAiAIMTHQUSN38ZHLSjo7vGPzEaGSNz+0B9V4odmL\n"
    "ZnC0KQIga0lg7D52APb8s6V6WQg3AG9hlMb1TLFFEkmvJ8qgAeI=\n"
    "-----END CERTIFICATE-----\n";
UNUSED static const char tls_expired_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgNS2qk1UtNxHmSWVS\n"
    "zLd+saDL+oj91magbebzt2lWuyqhRANCAAToKvzWA15TT30BnC1ihfON/TvDQ1gk\n"
    "gvw50+ow7+JxzFkeE9GIBIyTK5Q9p9sKlWOKNZ20Ic84JTfSdTwyD4UI\n"
    "-----END PRIVATE KEY-----\n";
UNUSED static const char tls_self_cert[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBZjCCAQ2gAwIBAgIBCDAKBggqhkjOPQQDAjAUMRIwEAYDVQQDDAlsb2NhbGhv\n"
    "c3QwIBcNMjAwMTAxMDAwMDAwWhgPMjE5MDAxMDEwMDAwMDBaMBQxEjAQBgNVBAMM\n"
    "CWxvY2FsaG9zdDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABOL3QM0v+bBxBrmh\n"
    "A7RxXzlNC6NJjknfSSLV0wyrORoHf009xgxeF0TwHE4KlYyxd4rLrvxlMo1xvaSB\n"
    "5txVfrijTjBMMA8GA1UdEwEB/wQFMAMBAf8wGgYDVR0RBBMwEYIJbG9jYWxob3N0\n"
    "hwR/AAABMB0GA1UdDgQWBBRUnvlfBWZek0nZU3FmQfabGSHNljAKBggqhkjOPQQD\n"
    "AgNHADBEAiAUTwj5CCE/iTimimdSABxlU6mat3e6IYMj05Z4GEBXNAIgPVVDw6xc\n"
    "k+ik28RLE2mlkMamNsNE/WmHIKONYzNI11E=\n"
    "-----END CERTIFICATE-----\n";
UNUSED static const char tls_self_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgfdX/pu+NI3SRxYZ2\n"
    "j3zjAxqvRa639V3jTGw95d+HojOhRANCAATi90DNL/mwcQa5oQO0cV85TQujSY5J\n"
    "30ki1dMMqzkaB39NPcYMXhdE8BxOCpWMsXeKy678ZTKNcb2kgebcVX64\n"
    "-----END PRIVATE KEY-----\n";
UNUSED static const char tls_six_cert[] =
    "-----BEGIN CERTIFICATE-----\n"
    "MIIBXDCCAQKgAwIBAgIBCzAKBggqhkjOPQQDAjAOMQwwCgYDVQQDDANzaXgwIBcN\n"
    "MjAwMTAxMDAwMDAwWhgPMjE5MDAxMDEwMDAwMDBaMA4xDDAKBgNVBAMMA3NpeDBZ\n"
    "MBMGByqGSM49AgEGCCqGSM49AwEHA0IABMl0J2bRXn34Prf80//Wz/m8coEWkgkA\n"
    "QweO/eTxuqhcEs/fDBeCsM+xZ9h0ELNeWXHANPh4/H8B8q1OhxPp4fCjTzBNMA8G\n"
    "A1UdEwEB/wQFMAMBAf8wGwYDVR0RBBQwEocQAAAAAAAAAAAAAAAAAAAAATAdBgNV\n"
    "HQ4EFgQULj4+mSEZt2wr0g8mOmwZtvLu3LwwCgYIKoZIzj0EAwIDSAAwRQIhAOkp\n"
    "1BD+Q2vaWGrVxi9DXO+Up+1pVhmHKh/y3F7+2pdtAiBmTR9oOu/BbRZoZGch7eOS\n"
    "PMUPmG5iwyhJmCftY07aGw==\n"
    "-----END CERTIFICATE-----\n";
UNUSED static const char tls_six_key[] =
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgeSCTvxLn6h77hWHf\n"
    "51uT++WInhAW0GjD2IouqaK3SG+hRANCAATJdCdm0V59+D63/NP/1s/5vHKBFpIJ\n"
    "AEMHjv3k8bqoXBLP3wwXgrDPsWfYdBCzXllxwDT4ePx/AfKtTocT6eHw\n"
    "-----END PRIVATE KEY-----\n";
#endif
